/**
 * The door to trees of files. A folder is held while it is used, and what is in it is named by one name at a time and
 * never through a link: so a path cannot be turned elsewhere under a walk that is under way.
 */

export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** Bytes. */
  readonly size: number
  /** Of its content, milliseconds since the Unix epoch. */
  readonly modifiedMs: number
  /** By its owner. */
  readonly executable: boolean
}

/** A regular file, held open. */
export interface HeldFile {
  facts(): Promise<FileFacts>
  /** Fills some of a buffer. @returns bytes read, 0 only at the end */
  read(position: number, into: Uint8Array): Promise<number>
  write(position: number, bytes: Uint8Array): Promise<void>
  /** Drops what is beyond this length. */
  cut(length: number): Promise<void>
  /** Sets what a person sees of it. */
  stamp(executable: boolean, modifiedMs: number): Promise<void>
  /** Its content survives a loss of power when this resolves. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** All throw FolderError or the system's own error; a name is that of one thing in the folder. */
export interface HeldFolder {
  /** In no order. @throws ERR_FOLDER_NAME for one that is no Unicode text */
  names(): Promise<readonly string[]>
  /** Of the thing itself, were it a link; undefined when there is none. */
  facts(name: string): Promise<FileFacts | undefined>
  /** @throws ERR_FOLDER_KIND when it is no folder, or a link to one */
  folder(name: string): Promise<HeldFolder>
  /** Opens for reading. @throws ERR_FOLDER_KIND when it is no regular file, or a link to one */
  file(name: string): Promise<HeldFile>
  /** Opens for reading and writing, and makes it if it is not there. @throws ERR_FOLDER_KIND as `file` */
  makeFile(name: string): Promise<HeldFile>
  /** Makes a folder if it is not there. @param isPrivate for its owner only */
  makeFolder(name: string, isPrivate?: boolean): Promise<HeldFolder>
  /** Removes a file, or a folder with all that is in it; links are removed and not followed. */
  remove(name: string): Promise<void>
  /**
   * Moves a file or folder into another folder of the same disk, under its name. What is there is kept: but a file
   * takes the place of a file or link if it may.
   * @throws ERR_FOLDER_EXISTS
   */
  move(name: string, to: HeldFolder, mayReplace: boolean): Promise<void>
  /** Names in it survive a loss of power when this resolves. */
  sync(): Promise<void>
  /** Bytes that can still be written to its disk. */
  freeBytes(): Promise<number>
  /**
   * Keeps other processes from locking the same.
   * @returns lets go, as the end of the process does
   * @throws ERR_FOLDER_BUSY when another holds it
   */
  lock(): Promise<() => void>
  /** Whether this user has made it; nobody else can make one that looks so. */
  isOwn(): Promise<boolean>
  close(): Promise<void>
}

/** What a person named. */
export interface Located {
  readonly folder: HeldFolder
  /** Of the thing in the folder. */
  readonly name: string
  /** What the person calls it. */
  readonly shown: string
}

export interface Folders {
  /** Whether this system names files as Windows does. */
  readonly windows: boolean
  /** A folder by its path; links in it are the person's own and are followed. */
  open(path: string): Promise<HeldFolder>
  /** Where a thing is by its path, links followed. @throws ERR_FOLDER_NAME for the root of a disk */
  locate(path: string): Promise<Located>
  /** Keeps what a stream gives in a file without a name, which is gone with this process. */
  spool(stream: AsyncIterable<Uint8Array>): Promise<HeldFile>
}

export type FolderErrorCode =
  /** It is a link, a device, or otherwise not what was asked for. */
  'ERR_FOLDER_KIND' | 'ERR_FOLDER_NAME' | 'ERR_FOLDER_EXISTS' | 'ERR_FOLDER_BUSY'

export class FolderError extends Error {
  readonly code: FolderErrorCode
  readonly retryable = false
  constructor(code: FolderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'FolderError'
    this.code = code
  }
}
