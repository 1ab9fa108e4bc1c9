/** Which requests an offer is about. */

/**
 * Whether a route, as offers name it, has this request: `GET /v1/:id`, `* /images/*`. Services may take no notice of
 * capitals and of a slash at the end.
 */
export const routeHas = (route: string, method: string, path: string): boolean => {
  const space = route.indexOf(' ')
  const [of, pattern] = [route.slice(0, space), route.slice(space + 1)]
  if (space < 1 || (of !== '*' && of !== method)) return false
  const low = path.toLowerCase()
  const bare = low.replace(/\/+$/, '')
  return [low, bare, `${bare}/`].some((one) => pathHas(pattern.toLowerCase(), one))
}

/** Part by part, and without regular expressions: the pattern is a stranger's. */
const pathHas = (pattern: string, path: string): boolean => {
  const isPrefix = pattern.endsWith('*')
  const wanted = (isPrefix ? pattern.slice(0, -1) : pattern).split('/')
  const parts = path.split('/')
  if (isPrefix ? parts.length < wanted.length : parts.length !== wanted.length) return false
  return wanted.every((want, index) => {
    const part = parts[index] ?? ''
    const isLast = isPrefix && index === wanted.length - 1
    const [before, name] = splitName(want)
    if (name) return part.startsWith(before) && part.length > before.length
    return isLast ? part.startsWith(want) : part === want
  })
}

/** `:id`, and what a part has before it. */
const splitName = (part: string): [before: string, isNamed: boolean] => {
  const colon = part.search(/:[A-Za-z]/)
  return colon === -1 ? [part, false] : [part.slice(0, colon), true]
}
