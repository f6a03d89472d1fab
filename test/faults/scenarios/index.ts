import { type FaultTest } from '../harness/context';
import { clockStepsBack, wrongClock } from './clocks';
import { endedConnections, fullPool, slowDatabase } from './connections';
import { cuts } from './cuts';
import { databaseKills } from './database-kills';
import { fullDisk } from './disk';
import { overload } from './overload';
import { pausedHolder, pausedReplica } from './pauses';
import { purge } from './purge';
import { waitingLine } from './queue';
import { expiry, race } from './races';
import { replicaKills } from './replica-kills';
import { firstStarts, rollingRestart } from './restarts';
import { soak } from './soak';
import { failover } from './standby';

/** All fault tests. Those that load the machine come first and alone. */
export const SCENARIOS: readonly FaultTest[] = [
  replicaKills,
  databaseKills,
  race,
  expiry,
  waitingLine,
  overload,
  // The longest first: what follows fills the other lanes meanwhile.
  failover,
  rollingRestart,
  slowDatabase,
  firstStarts,
  pausedHolder,
  fullPool,
  pausedReplica,
  endedConnections,
  purge,
  cuts,
  wrongClock,
  soak,
  fullDisk,
  clockStepsBack,
];
