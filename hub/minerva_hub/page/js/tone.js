// Tone in a few words: what a listener would notice about this line, for this speaker.

const AFFECTS = new Set(["warm", "frustrated", "confused", "apologetic", "genuine", "dismissive", "urgent"]);
const SURE = 0.5; // below this an affect is a guess, and is not shown

/** "louder, faster" or "" when there is nothing unusual, or nothing is known. */
export function toneWords(tone) {
  if (!tone) return "";
  const words = [];
  if (AFFECTS.has(tone.affect) && tone.confidence >= SURE) words.push(tone.affect);
  words.push(...tone.flags);
  return words.join(", ");
}
