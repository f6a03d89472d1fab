import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, type KeyLike, SignJWT } from 'jose';

export const AUDIENCE = 'https://appconfig.azure.com';

interface SigningKey {
  kid: string;
  alg: string;
  privateKey: KeyLike;
  jwk: JWK;
}

/** An OpenID issuer on a loopback port: discovery, a key set, and tokens signed with its keys. */
export class OidcIssuer {
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  /** Keys as its key set shows them. */
  published: JWK[] = [];
  /** Answers nothing while set: a host that takes connections and says no word. */
  isMute = false;
  /** Breaks off every connection while set. It keeps its port, which somebody else could take otherwise. */
  isAway = false;
  /** Replaces members of the discovery document. */
  metadata: Record<string, unknown> = {};
  private readonly server: Server;
  private port = 0;
  private keyCount = 0;

  private constructor() {
    this.server = createServer((request, response) => {
      if (this.isAway) return void request.socket.destroy();
      this.asked.push(request.url!);
      if (this.isMute) return;
      const documents: Record<string, unknown> = {
        '/tenant/.well-known/openid-configuration': {
          issuer: this.url,
          jwks_uri: `${this.url}/keys`,
          ...this.metadata,
        },
        '/tenant/keys': { keys: this.published },
      };
      const document = documents[request.url!];
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(document ?? {}));
    });
  }

  static async start(): Promise<OidcIssuer> {
    const issuer = new OidcIssuer();
    await issuer.listen();
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/tenant`;
  }

  /** How often the key set was fetched. */
  get fetches(): number {
    return this.asked.filter((path) => path === '/tenant/keys').length;
  }

  private async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  /** Makes a key and publishes it beside those it has. */
  async addKey(alg = 'RS256'): Promise<SigningKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${++this.keyCount}`;
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
    this.published.push(jwk);
    return { kid, alg, privateKey, jwk };
  }

  /** A token that is right unless `claims` say otherwise; a claim that is undefined is left out. */
  token(key: SigningKey, claims: Record<string, unknown> = {}): Promise<string> {
    const seconds = Math.floor(Date.now() / 1000);
    const all: JWTPayload = {
      iss: this.url,
      aud: AUDIENCE,
      sub: 'subject-1',
      iat: seconds,
      nbf: seconds,
      exp: seconds + 600,
      ...claims,
    };
    return new SignJWT(all).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT' }).sign(key.privateKey);
  }
}
