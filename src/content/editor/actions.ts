import { isFolderish } from '../content-object.js';

/** What an editor offers to its user, by the place where it does. Their ids are Plone's, and front ends look for them. */
export interface Actions {
  readonly document_actions: readonly Action[];
  readonly object: readonly Action[];
  readonly object_buttons: readonly Action[];
  readonly portal_tabs: readonly Action[];
  readonly site_actions: readonly Action[];
  readonly user: readonly Action[];
}

interface Action {
  readonly id: string;
  readonly title: string;
  readonly icon: string;
}

const action = (id: string, title: string): Action => ({ id, title, icon: '' });

/**
 * Only what the caller may do and the service can: an editor shows a button for each.
 *
 * @param may whether the caller has a right (content contract section 6)
 */
export function actionsOn(
  object: { readonly type: string; readonly path: readonly string[] },
  may: (access: 'authenticated' | 'modify' | 'add' | 'delete') => boolean,
): Actions {
  const isRoot = object.path.length === 0;
  const isFolder = isFolderish(object);
  return {
    document_actions: [],
    object: [
      action('view', 'View'),
      ...(may('modify') ? [action('edit', 'Edit')] : []),
      ...(may('modify') && isFolder ? [action('folderContents', 'Contents')] : []),
    ],
    object_buttons: [
      ...(may('delete') && !isRoot ? [action('cut', 'Cut')] : []),
      ...(may('add') && !isRoot ? [action('copy', 'Copy')] : []),
      ...(may('add') && isFolder ? [action('paste', 'Paste')] : []),
      ...(may('delete') && !isRoot ? [action('delete', 'Delete')] : []),
      ...(may('modify') && !isRoot ? [action('rename', 'Rename')] : []),
    ],
    portal_tabs: [action('index_html', 'Home')],
    site_actions: [],
    user: [may('authenticated') ? action('logout', 'Log out') : action('login', 'Log in')],
  };
}
