/** Picks a cluster by weight; weights that are all zero count as equal. Undefined when there is none. */
export function chooseWeighted(
  choices: readonly { readonly name: string; readonly weight: number }[],
  random: () => number,
): string | undefined {
  if (choices.length <= 1) return choices[0]?.name;
  const total = choices.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= 0) return choices[Math.floor(random() * choices.length)]?.name;
  let left = random() * total;
  for (const { name, weight } of choices) {
    left -= weight;
    if (left < 0) return name;
  }
  return choices.at(-1)?.name;
}
