import { newEtag } from './etag.js';

describe('newEtag', () => {
  it('has 43 characters of base64url, never the same twice', () => {
    // More than one filling of the pool.
    const tags = Array.from({ length: 1000 }, newEtag);
    for (const tag of tags) expect(tag).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(new Set(tags).size).toBe(tags.length);
  });
});
