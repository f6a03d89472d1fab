import { constants, type ServerHttp2Session } from 'node:http2';

/** No stream can have a greater one: a GOAWAY that names it gives up none of the present streams. */
const LAST_STREAM_ID = 2 ** 31 - 1;

/**
 * Keeps clients from ending the process. When node, in the middle of reading frames, ends a connection or refuses a stream of one that is
 * ending, it also sends what is waiting, and its HTTP/2 library then frees streams that the reading still uses
 * (github.com/nodejs/node/issues/64113). A client has that in hand: a GOAWAY with a new stream right behind it is enough. So
 * connections end only when nothing is being read, and no stream comes any more before one counts as closed.
 */
export function guardSession(session: ServerHttp2Session): void {
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  let isClosing = false;
  // Node calls both itself, by these names.
  session.close = (callback) => {
    if (callback) session.once('close', callback);
    if (isClosing) return;
    isClosing = true;
    setImmediate(() => {
      if (session.destroyed) return;
      // Once this is sent, new streams are ignored instead of refused; the answer to the ping shows that it was.
      session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
      if (!session.ping(() => close())) setImmediate(close);
    });
  };
  session.destroy = (...reason) => void setImmediate(() => destroy(...reason));
}
