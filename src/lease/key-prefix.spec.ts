import { fillTemplates, prefixOf } from './key-prefix.js';

describe('the prefix of a store’s keys', () => {
  it.each([
    ['', 'lock||App||'],
    ['appid', 'lock||App||'],
    ['AppID', 'lock||App||'],
    ['name', 'lock||My Store||'],
    ['NAME', 'lock||My Store||'],
    ['none', 'lock||'],
    ['None', 'lock||'],
    ['Orders', 'lock||orders||'],
    ['namespace', 'lock||namespace||'],
    ['a|b', 'lock||a|b||'],
    [' none', 'lock|| none||'],
  ])('for keyPrefix %j is %j', (keyPrefix, prefix) => {
    expect(prefixOf(keyPrefix, 'My Store', 'App')).toEqual({ text: prefix });
  });

  it.each([
    ['a||b', 'store', 'app', 'the prefix'],
    ['appid', 'store', 'a||p', 'APP_ID'],
    ['name', 's||t', 'app', 'metadata.name'],
  ])('for keyPrefix %j, store %j and app %j has no double pipe', (keyPrefix, store, appId, origin) => {
    expect(prefixOf(keyPrefix, store, appId)).toEqual({ fault: expect.stringContaining(`${origin} has "||" in it`) });
  });

  it('may have a double pipe in what the strategy does not use', () => {
    expect(prefixOf('none', 's||t', 'a||p')).toEqual({ text: 'lock||' });
    expect(prefixOf('appid', 's||t', 'app')).toEqual({ text: 'lock||app||' });
  });
});

describe('templates', () => {
  const identity = { appId: 'app$&', namespace: 'prod', podName: 'pod-1' };
  let count = 0;
  const nextUuid = (): string => `uuid-${++count}`;

  it('are filled in wherever they stand', () => {
    expect(fillTemplates('{appID}/{podName}/{namespace}/{appID}', identity, nextUuid)).toEqual({
      text: 'app$&/pod-1/prod.app$&/app$&',
    });
  });

  it('give each {uuid} a text of its own', () => {
    count = 0;
    expect(fillTemplates('{uuid}{uuid}', identity, nextUuid)).toEqual({ text: 'uuid-1uuid-2' });
  });

  it('are case-sensitive, and others stay as they are', () => {
    expect(fillTemplates('{appid}{UUID}{x}', identity, nextUuid)).toEqual({ text: '{appid}{UUID}{x}' });
  });

  it('without a namespace have only the dot and the app id, as in Dapr', () => {
    expect(fillTemplates('{namespace}', { ...identity, namespace: undefined }, nextUuid)).toEqual({ text: '.app$&' });
  });

  it('refuse {podName} where there is none', () => {
    expect(fillTemplates('{podName}', { ...identity, podName: undefined }, nextUuid)).toEqual({
      fault: expect.stringContaining('POD_NAME is not set'),
    });
  });
});
