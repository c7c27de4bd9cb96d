/* Sends one file by tus 1.0. Loaded only when something is to be sent. */
import { type DetailedError, Upload } from "tus-js-client";
import { ApiError, problemOf, sendProven } from "../api/client";
import { language } from "../i18n/language";

const CHUNK_BYTES = 1024 * 1024; // what a broken connection can cost at most, unless said otherwise

export interface TransferOptions {
	/** Where uploads are begun; videos unless said otherwise. */
	endpoint?: string;
	chunkBytes?: number;
	/** Where an earlier attempt had begun. */
	uploadUrl?: string;
	signal: AbortSignal;
	/** Pauses before trying again here; none when the caller does that itself. */
	retryMs?: number[];
	onUrl?: (url: string) => void;
	onProgress?: (sent: number, total: number) => void;
}

function problem(error: Error | DetailedError): ApiError {
	const response = "originalResponse" in error ? error.originalResponse : null;
	if (!response) return new ApiError(0);
	return problemOf(
		response.getStatus(),
		response.getBody(),
		response.getHeader("Retry-After") ?? null,
	);
}

function attempt(file: Blob, options: TransferOptions): Promise<string> {
	return new Promise((resolve, reject) => {
		options.signal.throwIfAborted(); // it may have been while the password was asked for
		const upload = new Upload(file, {
			endpoint: options.endpoint ?? "/v1/media",
			uploadUrl: options.uploadUrl ?? null,
			chunkSize: options.chunkBytes ?? CHUNK_BYTES,
			retryDelays: options.retryMs ?? null,
			storeFingerprintForResuming: false, // the caller keeps the address, with the video itself
			removeFingerprintOnSuccess: false,
			headers: { "Accept-Language": language() },
			metadata: { filetype: file.type.split(";")[0] || "video/mp4" },
			onShouldRetry: (error) => problem(error).isTemporary || problem(error).status === 409,
			onUploadUrlAvailable: () => options.onUrl?.(upload.url ?? ""),
			onProgress: (sent, total) => options.onProgress?.(sent, total),
			onError: (error) => reject(problem(error)),
			onSuccess: () => resolve(upload.url ?? ""),
		});
		options.signal.addEventListener("abort", () => {
			upload.abort().catch(() => {}); // nothing is left to be stopped
			reject(options.signal.reason);
		});
		upload.start();
	});
}

/** The id of what is stored. Rejects with an ApiError, or with the signal's reason. */
export async function transfer(file: Blob, options: TransferOptions): Promise<string> {
	let { uploadUrl } = options;
	const onUrl = (url: string) => {
		uploadUrl = url;
		options.onUrl?.(url);
	};
	return mediaId(await sendProven(() => attempt(file, { ...options, uploadUrl, onUrl })));
}

export function mediaId(url: string): string {
	return url.replace(/\/+$/, "").split("/").at(-1) ?? "";
}
