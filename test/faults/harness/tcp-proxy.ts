import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { atTheEnd } from './clean-up';

/** Seen from whoever connects: `up` is what it sends, `down` what it gets. */
export type Direction = 'up' | 'down';

/** Where a connection is cut, once: after so many bytes in a direction, counted from the moment at which the cut was armed. */
export interface Cut {
  readonly direction: Direction;
  /** Bytes that still pass. */
  readonly after: number;
  /** True also lets the rest of that packet pass, so that the cut falls behind a whole message. */
  readonly behind?: boolean;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
}

/** A TCP proxy inside this process: delays, swallows, and cuts what goes through it. */
export class TcpProxy {
  /** Milliseconds that every packet is held, each way. */
  delayMs = 0;
  private readonly links = new Set<Link>();
  private blackHole: ReadonlySet<Direction> = new Set();
  private held: (() => void)[] = [];
  private isRefusing = false;
  private cut: { readonly cut: Cut; passed: number; readonly done: () => void } | null = null;

  private constructor(
    private readonly server: Server,
    readonly name: string,
  ) {}

  /** @param target a port of the loopback, or the path of a socket */
  static async start(name: string, target: number | string): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, name);
    server.on('connection', (near) => proxy.link(near, target));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    atTheEnd(() => proxy.close());
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.links.size;
  }

  /** Cuts the next connection whose traffic reaches the point. Resolves when that has happened. */
  cutOnce(cut: Cut): Promise<void> {
    return new Promise((done) => (this.cut = { cut, passed: 0, done }));
  }

  /** Lets nothing through in these directions and breaks nothing, until `release`. */
  hold(...directions: Direction[]): void {
    this.blackHole = new Set(directions);
  }

  /** What was held goes on its way, and so does everything from now on. */
  release(): void {
    this.blackHole = new Set();
    for (const pass of this.held.splice(0)) pass();
  }

  /** What was held is lost, and with it every connection. */
  resetAll(): void {
    this.held = [];
    this.blackHole = new Set();
    for (const link of this.links) reset(link);
  }

  refuse(isRefusing: boolean): void {
    this.isRefusing = isRefusing;
  }

  close(): void {
    this.resetAll();
    this.server.close();
  }

  private link(near: Socket, target: number | string): void {
    if (this.isRefusing) return void near.resetAndDestroy();
    const far = connect(typeof target === 'string' ? { path: target } : { port: target, host: '127.0.0.1' });
    far.setNoDelay(true);
    near.setNoDelay(true);
    const link = { near, far };
    this.links.add(link);
    const end = (): void => {
      this.links.delete(link);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    near.on('data', (chunk) => this.forward(link, 'up', chunk));
    far.on('data', (chunk) => this.forward(link, 'down', chunk));
  }

  private forward(link: Link, direction: Direction, chunk: Buffer): void {
    const out = direction === 'up' ? link.far : link.near;
    const armed = this.cut;
    if (armed?.cut.direction === direction) {
      const left = armed.cut.after - armed.passed;
      armed.passed += chunk.length;
      if (chunk.length >= left) {
        this.cut = null;
        const passing = armed.cut.behind === true ? chunk : chunk.subarray(0, Math.max(0, left));
        // What passes has to leave before the reset overtakes it.
        out.write(passing, () => {
          reset(link);
          armed.done();
        });
        return;
      }
    }
    const pass = (): void => {
      if (!out.destroyed) out.write(chunk);
    };
    if (this.blackHole.has(direction)) this.held.push(pass);
    else if (this.delayMs > 0) setTimeout(pass, this.delayMs);
    else pass();
  }
}

function reset({ near, far }: Link): void {
  near.resetAndDestroy();
  // Only a TCP connection can be reset.
  if (far.remoteAddress === undefined) far.destroy();
  else far.resetAndDestroy();
}
