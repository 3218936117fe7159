import { z } from "zod";

/**
 * Makes schema checks work under a content security policy that forbids `eval`: zod would otherwise try to compile
 * them, and a browser reports each try. Call once, before anything is checked.
 */
export function checkWithoutEval(): void {
  z.config({ jitless: true });
}
