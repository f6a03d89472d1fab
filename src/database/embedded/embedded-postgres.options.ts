/** Where the launcher tells what it and PostgreSQL are doing. */
export interface EmbeddedPostgresLog {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export interface EmbeddedPostgresOptions {
  /** Absolute path of DATA_DIR; made when missing. */
  dataDir: string;
  /** What the application needs; the launcher's own connection and a few for an operator are added. */
  maxConnections: number;
  log: EmbeddedPostgresLog;
  /** `false` gives up safety against power loss for speed, for tests only. Default `true`. */
  durable?: boolean;
  /** What to do in the time that a server takes which was just started; left out when one runs already. */
  meanwhile?: () => void;
  /** Once aborted, a start is given up and fails, and whatever it has started is ended. */
  stopping?: AbortSignal;
}

/** How to connect to the application's database. */
export interface DatabaseAddress {
  /** Directory of the unix socket, or 127.0.0.1 on Windows. */
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}
