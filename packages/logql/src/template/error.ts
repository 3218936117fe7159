/** A template that cannot be parsed, or failed on one line of a log. Never leaves the room by itself. */
export class TemplateFault extends Error {}
