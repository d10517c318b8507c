import { styleText } from 'node:util'

export type Colour = 'red' | 'yellow' | 'green' | 'blue' | 'cyan' | 'bold'

/** Colours a word, or leaves it alone. */
export type Paint = (colour: Colour, text: string) => string

export const plain: Paint = (_, text) => text

/**
 * Colours when a person looks: on a terminal, not under NO_COLOR, always under FORCE_COLOR.
 * @param choice `--color`: true, false, or undefined for the above
 */
export function paintFor(stream: NodeJS.WriteStream, choice?: boolean): Paint {
  const wanted =
    choice ??
    (process.env.FORCE_COLOR !== undefined || (stream.isTTY === true && process.env.NO_COLOR === undefined))
  return wanted ? (colour, text) => styleText(colour, text, { validateStream: false }) : plain
}
