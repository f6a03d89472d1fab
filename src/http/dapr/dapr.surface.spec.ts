import { type FailedLogins } from '../../auth/failed-logins';
import { Settings } from '../../config/settings';
import { headersTooLarge, serverError, unavailable } from '../../problem/catalogue';
import { DaprSurface } from './dapr.surface';

const surface = new DaprSurface(new Settings(), {} as FailedLogins);

/** Distributed-lock contract section 1: "Double slashes are collapsed and one trailing slash is dropped before routing". */
describe('locate', () => {
  it.each([
    ['/v1.0/healthz', 'v1.0', 'healthz'],
    ['/v1.0/healthz/', 'v1.0', 'healthz'],
    ['/v1.0/healthz///', 'v1.0', 'healthz'],
    ['///v1.0//healthz//outbound', 'v1.0', 'healthz/outbound'],
    ['/v1.0-alpha1/lock/a%2Fb', 'v1.0-alpha1', 'lock/a%2Fb'],
    ['/v1.0', 'v1.0', undefined],
    ['/v1.0//', 'v1.0', undefined],
    ['v1.0/metadata', 'v1.0', 'metadata'],
    ['/v1.0/a\u0085b', 'v1.0', 'a\u0085b'],
  ])('finds %j', (path, segment, rest) => expect(surface.locate(path)).toEqual({ segment, rest }));
});

describe('render', () => {
  it('keeps 503 and its Retry-After where a problem comes from before the calls', () => {
    const answer = surface.render(unavailable());
    expect(answer).toEqual({
      status: 503,
      headers: ['Content-Type', 'application/json', 'Retry-After', '1', 'retry-after-ms', '500'],
      body: '{"errorCode":"ERR_UNAVAILABLE","message":"The service cannot answer right now"}',
    });
  });

  it('gives every problem a code', () => {
    expect(surface.render(headersTooLarge())).toMatchObject({
      status: 431,
      body: '{"errorCode":"ERR_HEADERS_TOO_LARGE","message":"The request headers are too large"}',
    });
  });

  it('shows nothing of an unplanned error', () => {
    expect(surface.render(serverError(new Error('secret'))).body).not.toContain('secret');
  });
});
