import { describe, expect, it } from "vitest";
import { QueryError, readAnswer } from "./prometheus.ts";

const success = (data: unknown) => JSON.stringify({ status: "success", data, warnings: ["w"] });

describe("Prometheus's answers", () => {
  it("reads vectors and matrices alike", () => {
    const vector = readAnswer(
      200,
      success({ resultType: "vector", result: [{ metric: { a: "b" }, value: [1, "2"] }] }),
    );
    expect(vector.data.result).toEqual([
      { metric: { a: "b" }, samples: [[1, "2"]], histograms: [] },
    ]);
    expect(vector.notes).toEqual(["w"]);
    const matrix = readAnswer(
      200,
      success({ resultType: "matrix", result: [{ metric: {}, values: [[1, "NaN"]] }] }),
    );
    expect(matrix.data.result).toEqual([{ metric: {}, samples: [[1, "NaN"]], histograms: [] }]);
  });

  it("reads native histograms beside samples", () => {
    const histogram = { count: "3", sum: "4.5", buckets: [[0, "1", "+Inf", "3"]] };
    const series = { metric: {}, histograms: [[60, histogram]] };
    const { data } = readAnswer(200, success({ resultType: "matrix", result: [series] }));
    expect(data.result).toEqual([
      {
        metric: {},
        samples: [],
        histograms: [
          { atSeconds: 60, count: 3, sum: 4.5, buckets: [{ lower: 1, upper: Infinity, count: 3 }] },
        ],
      },
    ]);
  });

  it("knows where a query is wrong", () => {
    const text = JSON.stringify({
      status: "error",
      errorType: "bad_data",
      error: 'invalid parameter "query": 2:9: parse error: unclosed left parenthesis',
    });
    try {
      readAnswer(400, text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(QueryError);
      expect(error).toMatchObject({ code: "bad_data", line: 2, column: 9 });
    }
  });

  it("does not take a proxy's page for an answer", () => {
    expect(() => readAnswer(502, "<html>")).toThrow("502");
    expect(() => readAnswer(200, "{}")).toThrow("not Prometheus's");
  });
});
