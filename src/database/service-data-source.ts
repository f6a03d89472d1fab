import { DataSource } from 'typeorm';

/**
 * A data source that looks at every server of `DATABASE_URL` before it gives up. Its first connection decides whether there is a pool at
 * all, and the first server of the list is a standby from the first failover on.
 */
export class ServiceDataSource extends DataSource {
  override async initialize(): Promise<this> {
    const { servers } = (this.options as { extra: { servers: number } }).extra;
    for (let untried = servers - 1; ; untried--) {
      try {
        return await super.initialize();
      } catch (error) {
        // The client class moves on to the next server with each failure.
        if (untried === 0) throw error;
      }
    }
  }
}
