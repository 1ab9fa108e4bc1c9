/** The door to files that a person names on the command line, anywhere on the machine. */

export interface UserFiles {
  /**
   * Content of a file.
   * @param bytesMax longer ones are refused
   * @throws the system's error, or CommandError ERR_USAGE when it is too long
   */
  read(path: string, bytesMax: number): Promise<Uint8Array>
  /** Names of the files in a folder, sorted; undefined if the path is no folder. */
  list(path: string): Promise<readonly string[] | undefined>
  /** Makes a file, readable by its owner only; durable when it resolves. @throws the system's error when one is there */
  create(path: string, content: Uint8Array): Promise<void>
  /**
   * Makes a file piece by piece. Until it is finished it has another name, `.part` added; what was there under that is
   * replaced.
   * @throws the system's error when one is there under its own name
   */
  begin(path: string): Promise<UserFile>
}

/** A file that is being made. */
export interface UserFile {
  write(piece: Uint8Array): Promise<void>
  /** Gives it its name; durable when it resolves. */
  finish(): Promise<void>
  /** Leaves what there is under the other name. */
  leave(): Promise<void>
}
