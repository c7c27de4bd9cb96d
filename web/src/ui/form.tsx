/*
 * Forms: the browser checks what it can, the server the rest; both errors stand at their field, and
 * the first one gets the focus. Fields are uncontrolled, so a form survives everything but leaving.
 */
import {
	createContext,
	type FormEvent,
	type InputHTMLAttributes,
	type ReactNode,
	type RefObject,
	useContext,
	useEffect,
	useId,
	useRef,
	useState,
} from "react";
import { ApiError } from "../api/client";
import { type Key, T, t } from "../i18n";
import { Button } from "./button";
import { Icon } from "./icons";
import { Alert, errorText } from "./states";

type Errors = Record<string, string>;

const FormErrors = createContext<Errors>({});

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function isControl(element: Element | RadioNodeList | null): element is Control {
	return element instanceof HTMLElement && "validity" in element && "name" in element;
}

function complaint(control: Control): string {
	const { validity } = control;
	if (validity.valueMissing) return t("form.required");
	if (validity.tooShort) return t("form.tooShort", { n: (control as HTMLInputElement).minLength });
	if (validity.patternMismatch) return control.title || t("form.pattern");
	return validity.valid ? "" : control.validationMessage;
}

/** The errors of a form's own fields, by name, before anything is sent. */
function check(form: HTMLFormElement): Errors {
	const errors: Errors = {};
	for (const element of form.elements) {
		if (!isControl(element) || !element.name || errors[element.name]) continue;
		const text = complaint(element);
		if (text) errors[element.name] = text;
	}
	return errors;
}

/** `/skillIds/0` belongs to the field `skillIds`. */
export function fieldOf(pointer: string): string {
	return pointer.replace(/^\//, "").split("/")[0] ?? "";
}

function serverErrors(error: unknown): Errors {
	const errors: Errors = {};
	if (error instanceof ApiError) {
		for (const { pointer, detail } of error.errors) errors[fieldOf(pointer)] ??= detail;
	}
	return errors;
}

function focusFirst(form: HTMLFormElement, errors: Errors): boolean {
	for (const element of form.elements) {
		if (isControl(element) && errors[element.name]) {
			element.focus();
			return true;
		}
	}
	return false;
}

interface FormProps {
	onSubmit: (data: FormData, form: HTMLFormElement) => void;
	error?: unknown;
	children: ReactNode;
	label?: string;
	formRef?: RefObject<HTMLFormElement | null>;
}

export function Form({ onSubmit, error, children, label, formRef }: FormProps) {
	const own = useRef<HTMLFormElement>(null);
	const ref = formRef ?? own;
	const box = useRef<HTMLDivElement>(null);
	const [local, setLocal] = useState<Errors>({});
	const server = serverErrors(error);
	const [homeless, setHomeless] = useState<string[]>([]); // errors of fields that the form does not have

	useEffect(() => {
		setHomeless([]);
		if (!error || !ref.current) return;
		const { elements } = ref.current;
		const homes = Object.entries(serverErrors(error));
		setHomeless(homes.filter(([name]) => !elements.namedItem(name)).map(([, text]) => text));
		if (!focusFirst(ref.current, serverErrors(error))) box.current?.focus();
	}, [error, ref]);

	const submit = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const form = event.currentTarget;
		const errors = check(form);
		setLocal(errors);
		if (!focusFirst(form, errors)) onSubmit(new FormData(form), form);
	};
	return (
		<form ref={ref} noValidate onSubmit={submit} aria-label={label}>
			<FormErrors value={{ ...server, ...local }}>{children}</FormErrors>
			{error !== undefined && error !== null && (
				<div ref={box} tabIndex={-1}>
					<Alert>
						<p>{errorText(error)}</p>
						{homeless.map((text) => (
							<p key={text}>{text}</p>
						))}
					</Alert>
				</div>
			)}
		</form>
	);
}

/** A field's text, or undefined when nothing was typed. */
export function text(data: FormData, name: string): string | undefined {
	const value = data.get(name);
	return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}

/** What is wrong with a field, for groups of controls that are no field of their own. */
export function FieldError({ name, id }: { name: string; id?: string }) {
	const error = useContext(FormErrors)[name];
	if (!error) return null;
	return (
		<p className="field-error" id={id}>
			<Icon name="warn" />
			{error}
		</p>
	);
}

interface FrameProps {
	name: string;
	label: Key;
	hint?: Key;
	optional?: boolean;
	children: (ids: {
		id: string;
		"aria-label": string;
		"aria-describedby": string | undefined;
		"aria-invalid": true | undefined;
	}) => ReactNode;
}

function Frame({ name, label, hint, optional, children }: FrameProps) {
	const id = useId();
	const error = useContext(FormErrors)[name];
	const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
	return (
		<div className={`field ${error ? "invalid" : ""}`}>
			<label htmlFor={id}>
				<T k={label} />
				{optional && (
					<span className="optional" aria-hidden="true">
						<T k="form.optional" />
					</span>
				)}
			</label>
			{hint && (
				<p className="hint" id={`${id}-hint`}>
					<T k={hint} />
				</p>
			)}
			{children({
				id,
				"aria-label": t(label),
				"aria-describedby": described || undefined,
				"aria-invalid": error ? true : undefined,
			})}
			<FieldError name={name} id={`${id}-error`} />
		</div>
	);
}

type TextFieldProps = Omit<FrameProps, "children"> & InputHTMLAttributes<HTMLInputElement>;

export function TextField({ label, hint, name, optional, ...input }: TextFieldProps) {
	return (
		<Frame name={name} label={label} hint={hint} optional={optional}>
			{(ids) => <input {...input} {...ids} name={name} required={!optional} />}
		</Frame>
	);
}

export function PasswordField({ label, hint, name, ...input }: TextFieldProps) {
	const [isShown, setShown] = useState(false);
	return (
		<Frame name={name} label={label} hint={hint}>
			{(ids) => (
				<div className="with-button">
					<input
						{...input}
						{...ids}
						name={name}
						required
						type={isShown ? "text" : "password"}
						autoCapitalize="none"
						spellCheck={false}
					/>
					<Button icon="eye" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
						<T k={isShown ? "form.hide" : "form.show"} />
					</Button>
				</div>
			)}
		</Frame>
	);
}

type TextAreaProps = Omit<FrameProps, "children"> & {
	rows?: number;
	maxLength?: number;
	defaultValue?: string;
	onFocus?: () => void;
};

export function TextArea({ label, hint, name, optional, rows = 3, ...area }: TextAreaProps) {
	return (
		<Frame name={name} label={label} hint={hint} optional={optional}>
			{(ids) => <textarea {...area} {...ids} name={name} rows={rows} required={!optional} />}
		</Frame>
	);
}

export interface Option {
	value: string;
	text: string;
}

type SelectProps = Omit<FrameProps, "children"> & {
	options: Option[];
	defaultValue?: string;
	value?: string;
	blank?: Key;
	onChange?: (value: string) => void;
};

export function SelectField({
	label,
	hint,
	name,
	optional,
	options,
	blank,
	onChange,
	...select
}: SelectProps) {
	return (
		<Frame name={name} label={label} hint={hint} optional={optional}>
			{(ids) => (
				<select
					{...select}
					{...ids}
					name={name}
					required={!optional}
					onChange={onChange && ((event) => onChange(event.target.value))}
				>
					{blank && <option value="">{t(blank)}</option>}
					{options.map(({ value, text }) => (
						<option key={value} value={value}>
							{text}
						</option>
					))}
				</select>
			)}
		</Frame>
	);
}

interface ChoicesProps {
	name: string;
	legend: Key;
	hint?: Key;
	options: { value: string; label: Key; picture?: ReactNode }[];
	defaultValue?: string;
}

/** Radio buttons as large cards: one tap, no typing. */
export function Choices({ name, legend, hint, options, defaultValue }: ChoicesProps) {
	const error = useContext(FormErrors)[name];
	return (
		<fieldset className={`choices ${error ? "invalid" : ""}`} aria-label={t(legend)}>
			<legend>
				<T k={legend} />
			</legend>
			{hint && (
				<p className="hint">
					<T k={hint} />
				</p>
			)}
			<div className="choice-row">
				{options.map(({ value, label, picture }) => (
					<label key={value} className="choice">
						<input
							type="radio"
							name={name}
							value={value}
							aria-label={t(label)}
							required
							defaultChecked={value === defaultValue}
						/>
						{picture}
						<span>
							<T k={label} />
						</span>
					</label>
				))}
			</div>
			<FieldError name={name} />
		</fieldset>
	);
}
