import { KEY_SEPARATOR } from './lock-stores.js';

/** Who this service is, in Dapr's words. */
export interface DaprIdentity {
  /** `APP_ID` */
  readonly appId: string;
  /** `NAMESPACE` */
  readonly namespace: string | undefined;
  /** `POD_NAME`, which Kubernetes' downward API sets */
  readonly podName: string | undefined;
}

/** A text, or why there is none. */
export type Outcome = { readonly text: string } | { readonly fault: string };

/**
 * What precedes the resource in a store's stored keys (distributed-lock contract section 8).
 *
 * @param keyPrefix value of the metadata item: `appid`, `name`, `none`, or a text of one's own, in any case of letters; the empty text is `appid`
 */
export function prefixOf(keyPrefix: string, storeName: string, appId: string): Outcome {
  // Lower-cased as in Dapr, also a text of one's own: `Orders` and `orders` are the same locks there.
  const strategy = keyPrefix.toLowerCase();
  if (strategy === 'none') return { text: `lock${KEY_SEPARATOR}` };
  const part = partOf(strategy, storeName, appId);
  // Else a store could reach the keys of another one.
  if (part.text.includes(KEY_SEPARATOR)) return { fault: `${part.origin} has "||" in it; expected a text without` };
  return { text: `lock${KEY_SEPARATOR}${part.text}${KEY_SEPARATOR}` };
}

function partOf(strategy: string, storeName: string, appId: string): { text: string; origin: string } {
  if (strategy === '' || strategy === 'appid') return { text: appId, origin: 'is appid, and APP_ID' };
  if (strategy === 'name') return { text: storeName, origin: 'is name, and metadata.name' };
  return { text: strategy, origin: 'the prefix' };
}

/**
 * Fills in Dapr's templates.
 *
 * @param nextUuid each `{uuid}` is a text of its own
 */
export function fillTemplates(text: string, identity: DaprIdentity, nextUuid: () => string): Outcome {
  const { appId, namespace = '', podName } = identity;
  if (text.includes('{podName}') && podName === undefined) {
    return { fault: 'has the template {podName}, but POD_NAME is not set; expected both or neither' };
  }
  const filled = text
    .replaceAll('{uuid}', () => nextUuid())
    // Functions, since `$` in a replacement text means something.
    .replaceAll('{podName}', () => podName!)
    // Dapr's own oddity: not the namespace alone.
    .replaceAll('{namespace}', () => `${namespace}.${appId}`)
    .replaceAll('{appID}', () => appId);
  return { text: filled };
}
