/** Every bound on what a peer may send or make us keep, with its unit and its reason. */

/** Modulus of an RSA key, bits: shorter is weak, longer makes us work for strangers. */
export const RSA_BITS_MIN = 2048
export const RSA_BITS_MAX = 4096

/** A signed time may differ from ours by this much, seconds: room for bad clocks, not for replays (DESIGN 7). */
export const SIGNED_TIME_WINDOW_SECONDS = 300

/**
 * How long the target of a connection request may take, at most: what the source signed with it has to be believed at the
 * end. A minute is left for the way, and for clocks that differ.
 */
export const REQUEST_WINDOW_SECONDS_MAX = SIGNED_TIME_WINDOW_SECONDS - 60

/** A price document with 8 plans and 4096-bit keys is about 12 KiB. */
export const PRICE_DOCUMENT_BYTES_MAX = 64 * 1024

/** `code` of /cert.info: a 4096-bit key, a signature by it, and JWE overhead come to about 5 KiB. */
export const CODE_BYTES_MAX = 12 * 1024

/** Answer of /cert.info; bounds what a hostile vendor can make a buyer read. */
export const CERT_INFO_ANSWER_BYTES_MAX = 256 * 1024

/** Plaintexts of /cert.info answers are padded to a multiple of this many bytes, so that size tells nothing. */
export const ANSWER_PADDING_BYTES = 4096

/** Server entries that one order may be given. */
export const SERVER_LIST_MAX = 64

/** Payment methods in one price document: one for each plan on sale and currency. */
export const PAYMENT_METHODS_MAX = 64

/** Nesting of any JSON we read: parsers recurse, and nothing we define is deeper than 8. */
export const JSON_DEPTH_MAX = 32

/** A nonce is 16 random bytes: 2^64 requests until two collide by chance. */
export const NONCE_BYTES = 16

/** A signed purchase or cancellation is about 1 KiB. */
export const SIGNED_ORDER_BYTES_MAX = 8 * 1024

/** Words of a search; each costs a directory a look into its index. In some scripts every character is a word. */
export const SEARCH_WORDS_MAX = 16

/** Characters of a search. */
export const SEARCH_LENGTH_MAX = 256

/** Words that a vendor and a plan are found by: more than fit the profile and the title that the contract takes. */
export const VENDOR_WORDS_MAX = 1024
export const PLAN_WORDS_MAX = 128

/** UTF-16 units of a word that are compared. */
export const WORD_LENGTH_MAX = 64

/** Rows in one page of a directory. */
export const DIRECTORY_PAGE_MAX = 100

/** UTF-16 units of one text in a directory's answer, four times what `cleanText` leaves. */
export const DIRECTORY_TEXT_MAX = 64 * 1024

/** A voucher: a channel's with a JWK, a proof key and two signatures is about 2.5 KiB, and header lines are to stay small. */
export const VOUCHER_BYTES_MAX = 6 * 1024

/** A receipt signed with RSA of 4096 bits is about 1.2 KiB. */
export const RECEIPT_BYTES_MAX = 2 * 1024

/** Ways to pay for one route: one for each currency and scheme. */
export const OFFERS_MAX = 16

/** A 402 with 16 offers and two 4096-bit keys is about 12 KiB. */
export const PAYMENT_REQUIRED_BYTES_MAX = 64 * 1024

/** Content in one record of a transfer, bytes: `RECORD_BYTES_MAX`, less the block's own head. */
export const TRANSFER_BLOCK_BYTES_MAX = 64 * 1024 - 16

/** What a sender may be ahead of what is acknowledged, bytes; a recipient keeps no more than this out of order. */
export const TRANSFER_WINDOW_BYTES = 16 * 1024 * 1024

/** One message of a transfer, bytes of JSON: an offer has all names at the top in it. */
export const TRANSFER_MESSAGE_BYTES_MAX = 60 * 1024

/** A name of a file or folder, bytes of UTF-8: what file systems take. */
export const TRANSFER_NAME_BYTES_MAX = 255

/** A path inside a transfer, bytes of UTF-8, and the names in it: what systems take, with room for the target before it. */
export const TRANSFER_PATH_BYTES_MAX = 3072
export const TRANSFER_PATH_NAMES_MAX = 128

/** Prefixes that a recipient names of what it has: a changed source costs at most this part of it anew. */
export const TRANSFER_PREFIXES_MAX = 256

/** A text that is sent as such, bytes of UTF-8: it is shown and held in memory. */
export const TRANSFER_TEXT_BYTES_MAX = 1024 * 1024

/** Plaintext of one record on a relayed stream, bytes: large enough that sealing costs more than handling it. */
export const RECORD_BYTES_MAX = 64 * 1024

/** A registration is signed twice over a key of up to 4096 bits: about 6 KiB. */
export const REGISTRATION_BYTES_MAX = 12 * 1024

/** Keys that a client may have had: their whole story is told to whoever asks, 12 KiB each at most. */
export const REGISTRATION_VERSIONS_MAX = 32

/** What is told of a client: all of its registrations. */
export const CLIENT_RECORD_BYTES_MAX = 512 * 1024

/** Characters of a signed statement's payload: the longest has a key of 4096 bits. */
export const STATEMENT_TEXT_MAX = 4096

/** A message between a client and a rendezvous, bytes: the longest has two statements signed by keys of 4096 bits. */
export const RENDEZVOUS_MESSAGE_BYTES_MAX = 8 * 1024

/** Addresses of its own that a client shares at once: each costs its peer an attempt. */
export const CANDIDATES_MAX = 8

/** Name of a relay's channel, characters: people say it aloud. */
export const CHANNEL_NAME_LENGTH_MAX = 32

/** Connections of one channel; more only help where each is slowed down by itself. */
export const CHANNEL_STREAMS_MAX = 8

/** A request to a relay: the longest has `y` of P-521 (133 bytes) and `hh_k` (96), all in base64url. */
export const RELAY_REQUEST_BYTES_MAX = 2048

/** An answer of a relay, bytes: a state has all fields of a channel, and problems have a sentence. */
export const RELAY_ANSWER_BYTES_MAX = 16 * 1024

/** How long a relay may keep a request that waits for news, milliseconds: below what proxies and home routers cut off. */
export const RELAY_WAIT_MS_MAX = 25_000
