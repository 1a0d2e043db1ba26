import type { Metric } from "prom-client";

/** Upper bounds of the buckets, in milliseconds. */
const boundsMs: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
];

const name = "dnd_http_request_seconds";

interface Row {
  /** Requests by bucket; the last one is beyond all bounds. */
  readonly counts: Float64Array;
  sumMs: number;
}

/**
 * A histogram that costs an addition for each request. prom-client's own looks labels up by a text that it
 * makes of them, which is a tenth of the whole answer to a GET.
 */
export class Durations {
  readonly #rows = new Map<string, Row>();

  /** Counts one request. */
  observe(route: string, elapsedMs: number): void {
    let row = this.#rows.get(route);
    if (row === undefined) {
      row = { counts: new Float64Array(boundsMs.length + 1), sumMs: 0 };
      this.#rows.set(route, row);
    }
    let bucket = 0;
    while (bucket < boundsMs.length && elapsedMs > (boundsMs[bucket] ?? 0)) bucket += 1;
    row.counts[bucket] = (row.counts[bucket] ?? 0) + 1;
    row.sumMs += elapsedMs;
  }

  /** As a registry of prom-client takes it. */
  metric(): Metric {
    const get = async () => ({
      name,
      help: "Time from a request's head to its answer's head",
      type: "histogram",
      aggregator: "sum",
      values: [...this.#rows].flatMap(([route, row]) => valuesOf(route, row)),
    });
    // The registry asks for nothing but this; its type asks for a class.
    return { name, get } as unknown as Metric;
  }
}

function valuesOf(route: string, { counts, sumMs }: Row) {
  let count = 0;
  const buckets = Array.from(counts, (own, index) => {
    count += own;
    const bound = boundsMs[index];
    const le = bound === undefined ? "+Inf" : String(bound / 1000);
    return { metricName: `${name}_bucket`, labels: { le, route }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { route }, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels: { route }, value: count },
  ];
}
