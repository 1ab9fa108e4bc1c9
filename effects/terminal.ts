/** The door to the person or script that runs a command. Results go out; all else is said beside them. */

export interface Terminal {
  /** Result, on standard output; nothing is added to it. Resolves once it is out of this process. */
  out(result: string | Uint8Array): Promise<void>
  /** Progress, questions and errors, on standard error. */
  err(text: string): void
  /** Whether a person is there to be asked. */
  readonly interactive: boolean
  /** What comes from standard input, to its end. */
  input(): AsyncIterable<Uint8Array>
  /**
   * Asks for one line. Only when `interactive`.
   * @param complete gives lines that begin with what is typed so far, for the tab key
   */
  ask(question: string, complete: (typed: string) => readonly string[]): Promise<string>
  /** Asks for one line without showing what is typed. Only when `interactive`. */
  askSecret(question: string): Promise<string>
  /** Asks yes or no; anything but yes is no. Only when `interactive`. */
  confirm(question: string): Promise<boolean>
}
