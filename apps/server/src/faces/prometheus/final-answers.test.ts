import { expect, it } from "vitest";
import { FinalAnswers } from "./final-answers.ts";

const body = (length: number) => ({ bytes: new Uint8Array(length), deflated: undefined });

it("forgets what was not asked for longest when it is full", () => {
  const answers = new FinalAnswers(64_000);
  for (let i = 0; i < 100; i++) {
    answers.keep(`tag ${i}`, body(100));
    answers.of("tag 0");
  }
  expect(answers.of("tag 0")).toBeDefined();
  expect(answers.of("tag 1")).toBeUndefined();
  expect(answers.of("tag 99")).toBeDefined();
});

it("keeps no answer that would drive out many", () => {
  const answers = new FinalAnswers(64_000);
  answers.keep("small", body(700));
  answers.keep("large", body(2000));
  expect(answers.of("small")?.bytes.length).toBe(700);
  expect(answers.of("large")).toBeUndefined();
});
