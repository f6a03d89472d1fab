// The configuration of an imaginary shop: some 1,100 key-values as teams really keep them. It is the same on every run, so that
// `--verify` knows what must be there without having kept anything.

export const PREFIX = 'shop/';
export const STAGES = ['dev', 'staging', 'prod'];

const JSON_TYPE = 'application/json';
const FLAG_TYPE = 'application/vnd.microsoft.appconfig.ff+json;charset=utf-8';
const FLAG_PREFIX = '.appconfig.featureflag/';

const SERVICES = [
  'basket',
  'catalogue',
  'checkout',
  'invoices',
  'mail',
  'payment',
  'prices',
  'search',
  'stock',
  'users',
];
const TEAMS = ['blue', 'green', 'größer & Söhne'];

/** What each service has on each stage, by the last parts of the key. */
function settingsOf(service, stage) {
  const replicas = { dev: 1, staging: 2, prod: 6 }[stage];
  const plain = {
    'database/host': `db-${service}.${stage}.internal`,
    'database/name': service,
    'database/pool/max': String(10 * replicas),
    'database/pool/min': '2',
    'database/statement-timeout-ms': '5000',
    'cache/enabled': String(stage !== 'dev'),
    'cache/ttl-seconds': stage === 'prod' ? '300' : '10',
    'cache/host': `cache.${stage}.internal`,
    'http/port': '8080',
    'http/timeout-ms': '2000',
    'http/retries': '3',
    'http/base-url': `https://${service}.${stage}.shop.example/`,
    'http/user-agent': `shop-${service}/1.0 (+https://shop.example)`,
    'logging/level': stage === 'prod' ? 'warn' : 'debug',
    'logging/format': 'json',
    'logging/sample-rate': '0.25',
    'queue/name': `${service}-events`,
    'queue/prefetch': '50',
    'queue/dead-letter': `${service}-events-dead`,
    'queue/visibility-seconds': '30',
    'limits/requests-per-minute': String(600 * replicas),
    'limits/body-bytes': '1048576',
    'limits/concurrent-jobs': String(4 * replicas),
    'schedule/cleanup': '0 3 * * *',
    'schedule/report': '30 6 * * 1-5',
    'texts/greeting/de': 'Grüß Gott, schön dass Sie da sind',
    'texts/greeting/ja': 'いらっしゃいませ',
    'texts/greeting/emoji': '👋🏽 hello',
    'texts/Grüße/Überschrift': 'Ein Schlüssel mit Umlauten',
    'texts/empty': '',
    'texts/several lines': 'first line\nsecond line\r\n\tthird line, indented',
  };
  const json = {
    'http/headers': { 'x-service': service, 'x-stage': stage },
    'limits/by-customer': [
      { customer: 'müller', perMinute: 60 },
      { customer: '株式会社', perMinute: 120 * replicas },
    ],
    scaling: { min: replicas, max: replicas * 3, target: { cpu: 0.7, memory: null } },
  };
  const tags = { team: TEAMS[service.length % TEAMS.length], service, tier: stage === 'prod' ? 'critical' : 'normal' };
  const setting = ([name, value]) => ({ key: `${PREFIX}${service}/${name}`, label: stage, value, tags });
  return [
    ...Object.entries(plain).map(setting),
    ...Object.entries(json).map(([name, value]) => ({
      ...setting([name, JSON.stringify(value)]),
      contentType: JSON_TYPE,
    })),
  ];
}

/** Feature flags in the form that the flag libraries of all languages read. */
function flagsOf(service) {
  return ['new-design', 'beta'].map((name) => ({
    key: `${FLAG_PREFIX}${PREFIX}${service}/${name}`,
    contentType: FLAG_TYPE,
    tags: { service },
    value: JSON.stringify({
      id: `${PREFIX}${service}/${name}`,
      enabled: name === 'beta',
      conditions: { client_filters: [{ name: 'Microsoft.Percentage', parameters: { Value: 25 } }] },
    }),
  }));
}

/** Everything that is written first. */
export function initialConfiguration() {
  return SERVICES.flatMap((service) => [
    ...STAGES.flatMap((stage) => settingsOf(service, stage)),
    { key: `${PREFIX}${service}/owner`, value: `team of ${service}`, tags: { service } },
    ...flagsOf(service),
  ]);
}

/** The later change: production gets more patience. */
export const isRaised = ({ key, label }) => label === 'prod' && key.endsWith('/http/timeout-ms');
export const RAISED_TIMEOUT = '5000';

/** The later removal: a queue nobody reads any more. */
export const isRemoved = ({ key, label }) => label === 'dev' && key.endsWith('/queue/dead-letter');

/** Everything that is there in the end. */
export function finalConfiguration() {
  return initialConfiguration()
    .filter((setting) => !isRemoved(setting))
    .map((setting) => (isRaised(setting) ? { ...setting, value: RAISED_TIMEOUT } : setting));
}
