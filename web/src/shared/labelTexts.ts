/* The texts of classes come with the screens that speak of them. */
import { addTexts } from "../i18n";
import en from "./label.en.json";
import ja from "./label.ja.json";

addTexts({ ja, en });
