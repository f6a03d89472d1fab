import { Gauge, type Registry } from 'prom-client';

/** Milliseconds that a reading may take; a database that is slow or away must not keep an operator from seeing just that. */
const MAX_READING_MS = 1000;

/** A value, or one for each value of the gauge's label; null = not known now. */
export type Reading = number | Readonly<Record<string, number>> | null;

export interface ReadGaugeOptions {
  readonly label?: string;
  /** How the readings of several processes become one; added up by default. */
  readonly aggregator?: 'sum' | 'max' | 'average';
}

/**
 * A gauge that is read when somebody asks for it. Readers that ask at once share one reading; one that fails or takes too long leaves
 * the gauge without a value, which is told apart from 0.
 */
export class ReadGauge {
  private read: () => Reading | Promise<Reading> = () => null;
  private underWay: Promise<Reading> | undefined;
  private readonly gauge: Gauge;
  private readonly label: string | undefined;

  constructor(
    readonly name: string,
    help: string,
    { label, aggregator = 'sum' }: ReadGaugeOptions,
    registry: Registry,
  ) {
    this.label = label;
    const collect = (): Promise<void> => this.collect();
    this.gauge = new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      aggregator,
      collect,
    });
  }

  /** Connects the gauge with who knows its value; called once, while the application starts. */
  readFrom(read: () => Reading | Promise<Reading>): void {
    this.read = read;
  }

  private async collect(): Promise<void> {
    this.underWay ??= Promise.resolve()
      .then(() => this.read())
      .catch(() => null)
      .finally(() => (this.underWay = undefined));
    const reading = await withinTime(this.underWay);
    this.gauge.reset();
    if (typeof reading === 'number') this.gauge.set(reading);
    else if (reading === null || this.label === undefined) this.gauge.remove();
    else for (const [value, count] of Object.entries(reading)) this.gauge.set({ [this.label]: value }, count);
  }
}

/** The reading, or null when it takes too long; it then goes on, and who asks next waits for the same one. */
async function withinTime(reading: Promise<Reading>): Promise<Reading> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), MAX_READING_MS);
  });
  try {
    return await Promise.race([reading, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
