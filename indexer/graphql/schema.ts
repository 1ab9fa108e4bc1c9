/** The schema with its resolvers. */
import type { GraphQLSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import type { RequestContext } from './context.ts'
import { resolvers } from './resolvers.ts'
import { typeDefs } from './type-defs.ts'

export const createDirectorySchema = (): GraphQLSchema => createSchema<RequestContext>({ typeDefs, resolvers })
