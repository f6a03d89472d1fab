import { Database } from '../../src/database/database';
import { type TestApp } from './start-app';

/** The database is silent about one statement, the next of its name, as where a connection is cut without a word. */
export class HeldAnswer {
  /** Resolves when the statement is held. */
  readonly isHeld: Promise<void>;
  /** It goes on its way. */
  readonly release: () => void;

  /** @param where it is held: `before` the server runs it, or `after` */
  constructor(app: TestApp, statementName: string, where: 'before' | 'after' = 'after') {
    let hold!: () => void;
    let release!: () => void;
    this.isHeld = new Promise((resolve) => (hold = resolve));
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    this.release = release;
    const database = app.app.get(Database);
    const query = database.query.bind(database);
    let isOver = false;
    // Not by Jest's spy: there may be one already, and it would be the same.
    database.query = async (...call) => {
      if (isOver || call[0].name !== statementName) return query(...call);
      isOver = true;
      const rows = where === 'after' ? await query(...call) : null;
      hold();
      await isReleased;
      return rows ?? query(...call);
    };
  }
}
