import { type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** The metrics of one process as plain values. */
export type MetricsReport = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What a worker says: that somebody asks it for the metrics of all, or what its own are. */
export type MetricsMessageOfWorker = { kind: 'read-metrics' } | { kind: 'metrics-report'; report: MetricsReport };
/** What the primary says: that it wants to know, or what all of them came to. */
export type MetricsMessageOfPrimary = { kind: 'report-metrics' } | { kind: 'metrics'; text: string };
