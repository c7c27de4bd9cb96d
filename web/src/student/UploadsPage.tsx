/* Everything that still has to be sent. */
import { T, t } from "../i18n";
import { useUploads } from "../media/uploads";
import { Page } from "../ui/page";
import { Empty } from "../ui/states";
import { UploadCard } from "./UploadCard";

export function UploadsPage() {
	const clips = useUploads();
	return (
		<Page
			title={<T k="nav.uploads" />}
			name={t("nav.uploads")}
			back={{ href: "/", label: "nav.home" }}
		>
			{clips.length === 0 ? (
				<Empty k="upload.none" />
			) : (
				clips.map((clip) => <UploadCard key={clip.id} clip={clip} />)
			)}
		</Page>
	);
}
