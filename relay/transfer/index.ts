/**
 * Sends and receives files, folders, texts and streams from one machine to another:
 *
 *   const transfer = createTransfer(effects, { streams: 4 })
 *   await transfer.send({ paths: ['photos'] }, sender.connect)
 *   await transfer.receive(recipient.connect, { folder: '.', accept: async () => ({ mayReplace: false }) })
 *
 * How the two meet is not decided here: `connect` gives encrypted streams to the other side, and gives new ones after a
 * break. What arrives is exactly what was sent, once and whole, or both sides are told why not.
 */
