/** The door to HTTP exchanges whose answers are used while they arrive: long ones, and those that cost by the bit. */

export interface StreamLimits {
  /** Until the answer's headers are there, the request's body sent; milliseconds. */
  readonly answerMs: number
  /** Between two pieces of the body, while somebody waits for the next; milliseconds. */
  readonly idleMs: number
  /** Also ends the body. */
  readonly signal?: AbortSignal
}

export interface Streams {
  /**
   * One HTTP exchange, once its headers are there. Redirects are not followed, no compression is asked for, none undone.
   * The body is read from the connection as fast as it is read from here; cancelling it closes the connection. It ends
   * with an error, a NetworkError, unless all of it came.
   * @throws NetworkError, or the signal's reason when it aborts
   */
  open(request: Request, limits: StreamLimits): Promise<Response>
}
