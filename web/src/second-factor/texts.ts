/*
 * The texts of the second factor: most people never see them, so they come with the screens that
 * show them and weigh on no other. Whoever shows one imports this file and is loaded lazily.
 */
import { addTexts } from "../i18n";
import en from "./en.json";
import ja from "./ja.json";

addTexts({ ja, en });
