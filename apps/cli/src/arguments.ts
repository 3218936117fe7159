/** Option values, checked before anything is started. */
import { messageOf, parseDuration } from "@skopos/model";
import { InvalidArgumentError } from "commander";

const portMax = 65_535;
const ratePerSecondMax = 2000;

/** A TCP port; 0 means a free one. */
export function portArgument(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > portMax)
    throw new InvalidArgumentError(`a port is a number from 0 to ${portMax}.`);
  return Number(text);
}

/** Requests per second. */
export function rateArgument(text: string): number {
  const rate = text.trim() === "" ? Number.NaN : Number(text);
  if (!(rate >= 0 && rate <= ratePerSecondMax))
    throw new InvalidArgumentError(
      `requests per second are a number from 0 to ${ratePerSecondMax}.`,
    );
  return rate;
}

export function wholeNumberArgument(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("a whole number is wanted.");
  return Number(text);
}

/** A duration like 15s; stays text, as configuration takes it. */
export function durationArgument(text: string): string {
  try {
    parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
  return text;
}
