import { decodePathSegment } from '../query-string.js';

/** What a path of the content surface names: an object, and the view of it that is asked for. */
export interface ContentPath {
  /** Segments of the object's path, as they were sent; none for the site root. */
  readonly objectSegments: readonly string[];
  /** `object`, or the view's name, which begins with `@`. Key of the route table. */
  readonly view: string;
  /** What follows the view, as it was sent; undefined when nothing does. */
  readonly rest: string | undefined;
}

/** What stands in the place of a view's name where the object itself is meant. */
export const OBJECT_VIEW = 'object';
const TRAVERSER = '++api++';

/**
 * Takes a path apart (content contract section 4): one leading `++api++` is left out, empty segments too (clients double slashes, and a
 * trailing slash names the same object), and the first segment that begins with `@` is the view.
 */
export function splitContentPath(path: string): ContentPath {
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments[0] === TRAVERSER) segments.shift();
  const viewAt = segments.findIndex((segment) => segment.startsWith('@') || segment.startsWith('%40'));
  if (viewAt < 0) return { objectSegments: segments, view: OBJECT_VIEW, rest: undefined };
  const rest = segments.slice(viewAt + 1).join('/');
  return {
    objectSegments: segments.slice(0, viewAt),
    view: segments[viewAt]!.replace(/^%40/, '@'),
    rest: rest === '' ? undefined : rest,
  };
}

/**
 * The ids along an object's path, each decoded once.
 *
 * @throws Problem `malformed-path`
 */
export const decodeObjectPath = (segments: readonly string[]): readonly string[] => segments.map(decodePathSegment);
