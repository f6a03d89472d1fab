import { Get } from '@nestjs/common';
import { ContentAuthGuard } from '../../auth/content-auth.guard.js';
import { type User, UserDirectory } from '../../auth/user-directory.js';
import { type UserRole } from '../../config/settings.js';
import { type Answer } from '../../http/answer.js';
import { ContentRequest } from '../../http/content/content-request.js';
import { decodePathSegment } from '../../http/query-string.js';
import { Needs, SurfaceController } from '../../http/surface-controller.decorator.js';
import { Describe } from '../../openapi/describe.decorator.js';
import { notFound } from '../../problem/catalogue.js';
import { requireSiteRoot } from '../rules/site-root.js';
import { viewAnswer } from './editor.answers.js';
import { GET_USER } from './editor.openapi.js';

/** Plone's names; everybody who logs in is a Member beside. */
const ROLES: Readonly<Record<UserRole, string>> = { reader: 'Reader', editor: 'Editor', manager: 'Manager' };

/** `/@users/{id}`: who somebody is, as `creator_url` of a lock points to it. */
@SurfaceController('content', ContentAuthGuard)
export class UserController {
  constructor(private readonly users: UserDirectory) {}

  @Get('@users/:id')
  @Describe(GET_USER)
  @Needs('authenticated')
  user(request: ContentRequest): Answer {
    requireSiteRoot(request);
    const user = this.users.find(decodePathSegment(request.params['id']!));
    if (!user) throw notFound();
    const { name, role } = request.principal;
    return viewAnswer(user.name === name || role === 'manager' ? profile(user, request) : card(user, request));
  }
}

/** What everybody who is known may know of the others. */
function card({ name, fullName, role }: User, { baseUrl }: ContentRequest): Record<string, unknown> {
  return {
    '@id': `${baseUrl}/@users/${encodeURIComponent(name)}`,
    id: name,
    fullname: fullName,
    roles: ['Member', ROLES[role]],
  };
}

/** All that Plone says of a user. Nothing more is known than name and role, so the rest is empty. */
function profile(user: User, request: ContentRequest): Record<string, unknown> {
  return {
    ...card(user, request),
    username: user.name,
    email: null,
    description: null,
    home_page: null,
    location: null,
    portrait: null,
    groups: { '@id': `${request.baseUrl}/@users/${encodeURIComponent(user.name)}`, items: [], items_total: 0 },
  };
}
