import { Post } from '@nestjs/common';
import { CallerAuthenticator, type Login } from '../../auth/caller.authenticator.js';
import { ContentAuthGuard } from '../../auth/content-auth.guard.js';
import { type Principal } from '../../auth/principal.js';
import { type Answer, emptyAnswer } from '../../http/answer.js';
import { ContentRequest } from '../../http/content/content-request.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { Problem } from '../../problem/problem.js';
import { ChangesContent } from '../changes-content.decorator.js';
import { requireSiteRoot } from '../rules/site-root.js';
import { parseJsonObject } from '../rules/content-input.js';
import { credentialsMissing, credentialsWrong, tokenInvalid } from './login-problem.js';
import { LOG_IN, LOG_OUT, RENEW_LOGIN } from './login.openapi.js';

/**
 * Logging in and out, at the site root (content contract section 9). No route asks the guard who calls: an old token that is sent along
 * must hinder nobody, and each refusal has words of its own.
 */
@SurfaceController('content', ContentAuthGuard)
export class LoginController {
  constructor(private readonly callers: CallerAuthenticator) {}

  @Post('@login')
  @Describe(LOG_IN)
  @Needs('login')
  @ChangesContent('nothing')
  async logIn(request: ContentRequest): Promise<Answer> {
    requireSiteRoot(request);
    const { login, password } = parseJsonObject(request.body);
    if (typeof login !== 'string' || typeof password !== 'string') throw credentialsMissing();
    const made = await this.callers.logIn(login, password, request);
    if (!made) throw credentialsWrong();
    return tokenAnswer(made);
  }

  @Post('@login-renew')
  @Describe(RENEW_LOGIN)
  @Needs('login')
  @ChangesContent('nothing')
  async renew(request: ContentRequest): Promise<Answer> {
    requireSiteRoot(request);
    const principal = await this.callerOf(request);
    const made = principal && (await this.callers.renew(principal.name));
    if (!made) throw tokenInvalid();
    return tokenAnswer(made);
  }

  /** There is nothing to forget here: a token lives until it expires, so the client throws it away. Logging out twice is no mistake. */
  @Post('@logout')
  @Describe(LOG_OUT)
  @Needs('login')
  @ChangesContent('nothing')
  logOut(request: ContentRequest): Answer {
    requireSiteRoot(request);
    return emptyAnswer(204);
  }

  /** Null for nobody and for credentials that are wrong, unless they were so too often. */
  private async callerOf(request: ContentRequest): Promise<Principal | null> {
    try {
      return await this.callers.authenticate(request, 'content');
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return null;
      throw error;
    }
  }
}

/** Whoever reads the token is this user: nobody on the way may keep it. */
const tokenAnswer = ({ token }: Login): Answer => ({
  status: 200,
  headers: ['Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'no-store'],
  body: JSON.stringify({ token }),
});
