/* The texts of the operator's pages come with them; in English all come at once. */
import { addTexts } from "../i18n";
import ja from "./contracts.ja.json";

addTexts({ ja, en: {} });
