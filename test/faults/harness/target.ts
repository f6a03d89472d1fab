/** Where requests go: a replica, or a proxy in front of one. */
export interface Target {
  readonly name: string;
  readonly port: number;
}
