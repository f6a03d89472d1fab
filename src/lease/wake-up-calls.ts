import { Inject, Injectable } from '@nestjs/common';
import { type Client } from 'pg';
import { type Logger } from 'pino';
import { Settings } from '../config/settings.js';
import { Database } from '../database/database.js';
import { LOGGER } from '../logging/logger.js';
import { LeaseRepository } from './lease.repository.js';

const channelOf = (replica: string): string => `lease_${replica}`;

/**
 * How one process tells another that a line of its may go on: NOTIFY, heard on one connection beside the pool. A call is a hint that
 * may get lost; nothing depends on it but how soon the next in line is served.
 */
@Injectable()
export class WakeUpCalls {
  private replica = '';
  private onCalled: (payload: string) => void = () => undefined;
  private connection: Promise<Client> | undefined;
  private readonly pending = new Map<string, { channel: string; payload: string }>();
  private isSending = false;
  private isClosed = false;

  constructor(
    private readonly database: Database,
    private readonly leases: LeaseRepository,
    @Inject(Settings) private readonly settings: Settings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Whose calls are heard here, and what hears them. Listening begins with `listen`. */
  onCall(replica: string, called: (payload: string) => void): void {
    this.replica = replica;
    this.onCalled = called;
  }

  /** Opens the connection if there is none. Through a transaction pooler nothing could be heard, so nothing is opened. */
  listen(): void {
    if (this.connection || this.isClosed || this.settings.dbPooler) return;
    const connection = this.open();
    this.connection = connection;
    connection.catch((error: unknown) => {
      this.logger.debug({ err: error }, 'wake-up calls cannot be heard; lines are looked at every half second');
      if (this.connection === connection) this.connection = undefined;
    });
  }

  /** Sends a call, together with others that come while one is on its way. */
  call(replica: string, payload: string): void {
    if (replica === this.replica) return this.onCalled(payload);
    this.pending.set(`${replica} ${payload}`, { channel: channelOf(replica), payload });
    if (!this.isSending) void this.send();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const client = await this.connection?.catch(() => undefined);
    await client?.end();
  }

  private async send(): Promise<void> {
    this.isSending = true;
    while (this.pending.size > 0) {
      const messages = [...this.pending.values()];
      this.pending.clear();
      try {
        await this.leases.notify(messages);
      } catch (error) {
        this.logger.debug({ err: error }, 'wake-up calls were not sent; the others look by themselves');
      }
    }
    this.isSending = false;
  }

  private async open(): Promise<Client> {
    const client = await this.database.connectAside();
    const drop = (): void => {
      this.connection = undefined;
    };
    client.on('end', drop);
    client.on('notification', ({ payload }) => this.onCalled(payload ?? ''));
    await client.query(`LISTEN "${channelOf(this.replica)}"`);
    return client;
  }
}
