/** A text, or the cells of the columns that a text is made of. */
export type Row = string | null | Record<string, string | number | null>;

export interface Rank {
  label: string;
  /** Calibrated. */
  probability: number;
  predicted: boolean;
}

export interface Prediction {
  /** The predicted label; in a multilabel task, all that are predicted. */
  label: string | string[];
  /** Its probability, or one for each label. */
  probability: number | number[];
  /** The labels, the most probable first; in a binary task, the predicted one first. */
  labels: Rank[];
  /** Whether the text has more tokens than the network reads. */
  truncated: boolean;
  /** Fraction of the tokens that are out of vocabulary; 1 for a text without tokens. */
  unknownShare: number;
  /** Whether the network read no known token: the prediction says nothing about the text. */
  noKnownToken: boolean;
}

export interface Contribution {
  token: string;
  /** Whether it is in the vocabulary. */
  known: boolean;
  /** What it adds to the logit of the label; null if the network has hidden layers. */
  contribution: number | null;
}

export class Classifier {
  readonly task: "binary" | "multiclass" | "multilabel";
  readonly labels: string[];
  /** The columns of a row; `constants` have the same cell in all rows. */
  readonly columns: { text: string[]; fields: string[]; constants: Record<string, string> };
  /** Whether `explain` returns contributions: the network has no hidden layers. */
  readonly hasContributions: boolean;
  predict(row: Row, options?: { topK?: number }): Prediction;
  /** The calibrated probability of each label, in the order of `labels`. */
  probabilities(row: Row): number[];
  /** All tokens of a text, in the vocabulary or not. */
  tokens(row: Row): string[];
  /** The ids that the network reads: of the first tokens, then of their known n-grams. */
  tokenIds(row: Row): number[];
  /** The tokens that are read, each with what it adds to a label. */
  explain(row: Row, label: string): Contribution[];
}

/** Load the export in a folder; by default, the folder of the module. */
export function load(location?: string | URL): Promise<Classifier>;
