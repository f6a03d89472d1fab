import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import { fromStoredText, toStoredText } from '../../database/stored-text.js';
import { LIST_LABELS, PUT_LABEL } from './dapr-metadata.sql.js';

/** Labels that are kept, and bytes of all their keys and values: every answer holds them all, and is made in memory. */
const MAX_LABELS = 1000;
const MAX_TOTAL_BYTES = 1024 * 1024;

/** Edge to the labels that clients set with Dapr's metadata call. */
@Injectable()
export class DaprMetadataRepository {
  constructor(private readonly database: Database) {}

  /** All labels, in the order of their keys' bytes. */
  async list(): Promise<[key: string, value: string][]> {
    const rows = (await this.database.query(LIST_LABELS, [])) as [string, string][];
    return rows.map(([key, value]) => [fromStoredText(key), fromStoredText(value)]);
  }

  /** @returns false when the label would be one too many, or make all of them too long */
  async put(key: string, value: string): Promise<boolean> {
    const values = [toStoredText(key), toStoredText(value), MAX_LABELS, MAX_TOTAL_BYTES];
    return (await this.database.query(PUT_LABEL, values)).length > 0;
  }
}
