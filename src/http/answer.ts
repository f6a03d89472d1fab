/**
 * What a controller hands back: the whole answer as a value. The dispatcher adds what every answer of the surface carries and
 * writes it; a body of null is an empty one.
 */
export interface Answer {
  status: number;
  /** Names and values alternating, in the order sent; a repeated name is sent as a line of its own. */
  headers: string[];
  /** Complete text of the body. Sent for GET and announced alike for HEAD. */
  body: string | null;
}

/** An answer that is nothing but its status line and the headers given. */
export function emptyAnswer(status: number, headers: string[] = []): Answer {
  return { status, headers, body: null };
}
