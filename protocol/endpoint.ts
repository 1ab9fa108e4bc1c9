/** Where a vendor answers, from the text it registered. */

/**
 * The URL of one of a vendor's routes. An endpoint is an http or https URL, or a host or IP address with or without
 * port, which means http; a path in it comes before the route.
 * @param route such as `price.json`
 * @returns undefined for what is no endpoint
 */
export const endpointUrl = (endpoint: string, route: string): URL | undefined => {
  const [scheme] = /^[a-z][a-z\d+.-]*:\/\//i.exec(endpoint) ?? []
  if (scheme !== undefined && !/^https?:/i.test(scheme)) return undefined
  const written = scheme === undefined ? `http://${bracketed(endpoint)}` : endpoint
  if (!URL.canParse(written)) return undefined
  const url = new URL(written)
  // A name and password would be the vendor's, not ours to send.
  if (url.username !== '' || url.password !== '' || url.hostname === '') return undefined
  url.search = ''
  url.hash = ''
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${route}`
  return url
}

/** A bare IPv6 address needs brackets in a URL. */
const bracketed = (text: string): string => (/^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text)
