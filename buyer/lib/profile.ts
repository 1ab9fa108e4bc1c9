/** What a vendor says of itself in its profile, as far as a buyer shows it; anybody's words, made safe to show. */
import { z } from 'zod'
import { utf8 } from '../../protocol/bytes.ts'
import { parseJson } from '../../protocol/json.ts'
import { cleanText, type ChainText } from '../../protocol/text.ts'

const WORDS_MAX = 16

const text = z
  .string()
  .catch('')
  .transform((value) => cleanText(utf8(value)))
const words = z
  .array(text)
  .catch([])
  .transform((all) => all.slice(0, WORDS_MAX).toSorted())

const profileSchema = z.object({ title: text, description: text, serviceTypes: words, regions: words })

export type Profile = z.infer<typeof profileSchema>

/** Never fails: what is missing or of another shape is empty. */
export const readProfile = (profile: ChainText): Profile => {
  try {
    return profileSchema.parse(parseJson(profile.bytes))
  } catch {
    return { title: '', description: '', serviceTypes: [], regions: [] }
  }
}
