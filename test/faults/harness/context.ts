import { type Patch, copyOfTheBuild } from './build';
import { Cluster } from './cluster';
import { type Findings } from './findings';
import { type Operation } from './history';
import { type Random } from './random';

/** What a fault test gets to work with. */
export class Context {
  private static sharedCluster: Promise<Cluster> | undefined;
  private static trueBuild: string | undefined;
  /** Kept for the report where something was violated. */
  history: readonly Operation[] = [];

  /** @param build the true one, or one with a planted bug */
  constructor(
    readonly findings: Findings,
    readonly random: Random,
    readonly isLong: boolean,
    readonly build: string,
    /** Under what part of the usual load a planted bug has to be found. */
    readonly share = 1,
  ) {}

  /** A copy of the build for this run. */
  static build(patches?: readonly Patch[]): string {
    if (patches) return copyOfTheBuild(patches);
    return (Context.trueBuild ??= copyOfTheBuild());
  }

  /** How often: in the run of every change, and in the long one. */
  times(quick: number, long: number): number {
    return Math.max(1, Math.round((this.isLong ? long : quick) * this.share));
  }

  /** One durable PostgreSQL for all that does not end it. */
  cluster(): Promise<Cluster> {
    return (Context.sharedCluster ??= Cluster.create());
  }
}

/** One fault of the table in docs/reliability.md, or several that one run shows. */
export interface FaultTest {
  /** `F1`, `F5`: the first names the test. */
  readonly faults: readonly string[];
  readonly title: string;
  readonly promises: readonly string[];
  /** Tests of different lanes may run at the same time; those of `load` need the machine for themselves. */
  readonly lane: 'load' | 'light';
  run(context: Context): Promise<void>;
}
