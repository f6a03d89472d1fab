import { type Server } from 'node:http';
import { type Socket } from 'node:net';

/** Milliseconds in which something of what is sent must have gone out; as long as a request may take to come in. */
const STALLED_MS = 30_000;
/** Between two looks at the connections, in milliseconds; a stalled one may last that much longer. */
const INTERVAL_MS = 5_000;
/** In looks and not by a clock: after a pause of this very process nothing has gone out either, and nobody is to blame. */
const STALLED_LOOKS = STALLED_MS / INTERVAL_MS;

/** What node counts for each of its sockets without declaring it. Of a TLS connection it is the socket below that counts. */
interface Counts {
  /** Handed over to be sent. */
  readonly bytesWritten: number;
  /** Of these, what the operating system has no room for as long as the peer takes nothing. */
  readonly writeQueueSize: number;
}
type CountingSocket = Socket & { readonly _handle?: Counts | null };

interface Progress {
  sent: number;
  /** Looks at which that had not changed although there was more to be sent. */
  looks: number;
}

/**
 * Ends connections whose peer takes nothing of what is being sent to it, for those answers would stay in memory. It looks at the sockets
 * and not at answers: so nothing that is sent is left out, be it express that sends it, and no request pays for it. Where there is
 * nothing to be sent, as while a caller waits for a lock, there is no end either.
 */
export class StalledConnections {
  private readonly open = new Map<CountingSocket, Progress>();

  /** Watches the server's connections for as long as it listens. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.open.set(socket, { sent: 0, looks: 0 });
      socket.once('close', () => this.open.delete(socket));
    });
    server.on('listening', () => {
      const looking = setInterval(() => this.look(), INTERVAL_MS).unref();
      server.once('close', () => clearInterval(looking));
    });
  }

  /** Looks at each connection once. */
  look(): void {
    for (const [socket, progress] of this.open) {
      const { bytesWritten = 0, writeQueueSize = 0 } = socket._handle ?? {};
      const sent = bytesWritten - writeQueueSize;
      if (writeQueueSize === 0 || sent !== progress.sent) {
        progress.sent = sent;
        progress.looks = 0;
      } else if (++progress.looks >= STALLED_LOOKS) socket.destroy();
    }
  }
}
