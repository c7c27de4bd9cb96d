/* The fields of a person, for adding and for changing. */
import type { Grade, User } from "../api/types";
import { gradeOptions } from "../shared/person";
import { SelectField, TextField, text } from "../ui/form";

export function PersonFields({ user }: { user?: User }) {
	return (
		<>
			<div className="form-row">
				<TextField
					name="familyName"
					label="person.familyName"
					maxLength={100}
					defaultValue={user?.familyName}
				/>
				<TextField
					name="givenName"
					label="person.givenName"
					maxLength={100}
					defaultValue={user?.givenName}
				/>
			</div>
			<div className="form-row">
				<TextField
					name="kanaFamilyName"
					label="person.kanaFamilyName"
					maxLength={100}
					defaultValue={user?.kanaFamilyName}
				/>
				<TextField
					name="kanaGivenName"
					label="person.kanaGivenName"
					maxLength={100}
					defaultValue={user?.kanaGivenName}
				/>
			</div>
			<SelectField
				name="grade"
				label="person.grade"
				optional
				blank="person.noGrade"
				options={gradeOptions()}
				defaultValue={user?.grade}
			/>
		</>
	);
}

export function personOf(data: FormData) {
	return {
		familyName: text(data, "familyName") ?? "",
		givenName: text(data, "givenName") ?? "",
		kanaFamilyName: text(data, "kanaFamilyName") ?? "",
		kanaGivenName: text(data, "kanaGivenName") ?? "",
		grade: text(data, "grade") as Grade | undefined,
	};
}
