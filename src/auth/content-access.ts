import { type UserRole } from '../config/settings.js';
import { type ContentAccess } from '../http/surface-controller.decorator.js';
import { type Principal } from './principal.js';

/** What the callers of the content surface may do (content contract section 6). */

type Right = Exclude<ContentAccess, 'login'>;

const ANYBODY: ReadonlySet<Right> = new Set(['view']);
const READER: ReadonlySet<Right> = new Set(['view', 'authenticated']);
const EDITOR: ReadonlySet<Right> = new Set(['view', 'authenticated', 'modify', 'add', 'delete']);
const MANAGER: ReadonlySet<Right> = new Set(['view', 'authenticated', 'modify', 'add', 'delete', 'break']);

const OF_ROLE: Readonly<Record<UserRole, ReadonlySet<Right>>> = { reader: READER, editor: EDITOR, manager: MANAGER };

/** Whether the principal may call a route that needs this. Of all known callers only users have a place in the tree. */
export function mayOnContent({ kind, role }: Pick<Principal, 'kind' | 'role'>, access: string): boolean {
  if (access === 'nothing' || access === 'login') return true;
  const rights = kind === 'user' && role !== undefined ? OF_ROLE[role] : ANYBODY;
  return (rights as ReadonlySet<string>).has(access);
}
