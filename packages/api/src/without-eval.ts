/**
 * In a browser, schemas are checked without compiling them: the page's content security policy forbids `eval`, and
 * zod tries it while a schema is made. Must be imported before any schema, hence the effect on import.
 */
import { z } from "zod";

if ("document" in globalThis) z.config({ jitless: true });
