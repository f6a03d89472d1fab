// Calls of @plone/client on behalf of plone-client.client-spec.ts, one for each line of standard input: {"session", "call", "args"}.
// The library is made of modules that Jest cannot load, so it runs in a process of its own, as front ends run it: unmodified.
// Answers one line for each: {"value"}, or {"error"} with the status and the body of a refusal, or what the library found wrong itself.
import { createInterface } from 'node:readline';
import ploneClient from '@plone/client';

const apiPath = process.argv[2];
/** One client for each person; it keeps the token of its login. */
const sessions = new Map();

function callOf(client, call, args) {
  if (call === 'login') return client.login(args);
  const query = client[`${call}Query`];
  return query ? query(args).queryFn() : client[`${call}Mutation`]().mutationFn(args);
}

function describe(error) {
  if (error.response) return { status: error.response.status, data: error.response.data };
  return { name: error.name, issues: error.issues?.map(({ path }) => path.join('.')), message: error.message };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { session, call, args } = JSON.parse(line);
  if (!sessions.has(session)) sessions.set(session, ploneClient.initialize({ apiPath }));
  let answer;
  try {
    // An empty answer is an empty text to the library.
    answer = { value: await callOf(sessions.get(session), call, args) };
  } catch (error) {
    answer = { error: describe(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
