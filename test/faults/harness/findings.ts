/** Something that was counted, with what it must be. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  /** As it is shown: `≥ 20000`; empty where the number is told for information. */
  readonly target: string;
  readonly isMet: boolean;
}

export interface NotRun {
  readonly what: string;
  readonly why: string;
  /** The nearest thing that ran in its place. */
  readonly instead: string;
}

/** What one fault test found. It passes when nothing was violated and every count was reached. */
export class Findings {
  readonly measures: Measure[] = [];
  readonly violations: string[] = [];
  readonly notRun: NotRun[] = [];

  /** Told, not judged. */
  tell(what: string, value: number): void {
    this.measures.push({ what, value: round(value), target: '', isMet: true });
  }

  atLeast(what: string, value: number, target: number): void {
    this.measures.push({ what, value: round(value), target: `≥ ${target}`, isMet: value >= target });
  }

  atMost(what: string, value: number, target: number): void {
    this.measures.push({ what, value: round(value), target: `≤ ${target}`, isMet: value <= target });
  }

  none(what: string, value: number): void {
    this.measures.push({ what, value, target: '0', isMet: value === 0 });
  }

  /** Counts violations as one measure, and keeps their texts. */
  violated(what: string, violations: readonly string[]): void {
    this.none(what, violations.length);
    this.violations.push(...violations.slice(0, 20));
  }

  cannotRun(what: string, why: string, instead: string): void {
    this.notRun.push({ what, why, instead });
  }

  get isPassed(): boolean {
    return this.violations.length === 0 && this.measures.every(({ isMet }) => isMet);
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;
